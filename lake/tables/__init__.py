"""How rows become a table: the Glue Data Catalog, and one room for each table format."""
