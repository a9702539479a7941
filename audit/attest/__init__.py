"""Provenance of cleaned data: what was written, from what, by what, and a check of all of it that needs nothing else.

Beside the cleaned data X stands the folder X.provenance with

- ledger.parquet: every record position of the input, its hash, its fate and why;
- manifest.json: hashes of all files, Merkle roots over the rows and the ledger, counts, inputs, settings, versions;
- statement.intoto.json, bom.cdx.json, croissant.json: the same in the words of other tools;
- manifest.sig, where somebody signed.

`merkle`, `encoding` and `rows` are arithmetic, `write` makes the folder, `check` and `prove` read it.
"""
