"""The second ledger: final days as encrypted Parquet under the names of their hashes, on disk or any S3."""
