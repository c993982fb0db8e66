"""The store-and-forward queue between the modules and the cloud."""
