"""The service: what goes into the image that serves. It never imports the trainer."""
