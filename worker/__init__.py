"""The application: articles become content, content becomes deliveries, deliveries become public exactly once."""
