"""What this service is measured against, each written as its own documentation has it."""
