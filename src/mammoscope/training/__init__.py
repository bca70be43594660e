"""From records to trained weights."""
