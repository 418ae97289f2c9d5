"""What is known of the world around a document: looked up beside the rules, so that they do no I/O."""
