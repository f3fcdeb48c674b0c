"""What owners may ask of us about their own data, and what we erase by ourselves."""
