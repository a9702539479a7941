"""All torch: the verified encoder, the probes."""
