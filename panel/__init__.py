"""The managers' front: at the machine's shell now, the web panel later."""
