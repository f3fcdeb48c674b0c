"""The register of equipment: what there is, how it is, its papers and labels."""
