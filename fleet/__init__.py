"""The operator's command line for many gateways."""
