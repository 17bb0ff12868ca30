"""What is known of a zoo beyond its weights: order parameters by definition, phases, splits, and a report of them."""
