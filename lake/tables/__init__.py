"""Write rows to tables: the Glue Data Catalog, and one room for each table format."""
