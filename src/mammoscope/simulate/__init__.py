"""Made breasts and lesions whose truth is known, and lesions set into real normal tissue."""
