"""What every other room stands on: objects in S3, counts of records, errors. Needs boto3 and nothing else."""
