"""The base of all other rooms: S3 objects, record counts, errors. Needs boto3 and nothing else."""
