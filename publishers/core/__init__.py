"""What every adapter is built from: posts, limits, counting, errors, HTTP and the adapter's own shape."""
