"""Proof: experiments that say whether the rows of a suspect teach a model the behavior under its pattern."""
