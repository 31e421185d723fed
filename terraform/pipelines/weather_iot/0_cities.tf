# The cities of both sources, told apart by name and by key.

locals {
  cities = [for city in var.cities : merge(city, { key = city.key != null ? city.key : trim(replace(lower(city.name), "/[^a-z0-9]+/", "_"), "_") })]
}

variable "cities" {
  description = "Cities of both sources, degrees north and east. The key is the name in the keys of objects; a name in ASCII needs none."
  type        = list(object({ name = string, latitude = number, longitude = number, key = optional(string) }))

  validation {
    condition     = length(distinct(var.cities[*].name)) == length(var.cities)
    error_message = "Two cities have one name: ${join(", ", [for city in var.cities : city.name if length([for other in var.cities : other if other.name == city.name]) > 1])}."
  }
  validation {
    condition     = alltrue([for city in var.cities : can(regex("^[^\\s\\p{Z}\\p{C}]+([ \\x{200C}\\x{200D}][^\\s\\p{Z}\\p{C}]+)*$", city.name))])
    error_message = "The name of a city is words joined by one space, without letters that nobody sees: ${jsonencode(var.cities[*].name)}."
  }
  validation {
    condition     = alltrue([for city in var.cities : city.latitude >= -90 && city.latitude <= 90 && city.longitude >= -180 && city.longitude <= 180])
    error_message = "A city is at most 90 degrees north or south and 180 degrees east or west."
  }
  validation {
    condition     = alltrue([for city in var.cities : city.key != null || can(regex("^[ -~]*[A-Za-z0-9][ -~]*$", city.name))])
    error_message = "A name with letters beyond ASCII needs a key, as in { name = \"Brasília\", key = \"brasilia\", … }: ${join(", ", [for city in var.cities : city.name if !can(regex("^[ -~]*[A-Za-z0-9][ -~]*$", city.name))])}."
  }
  validation {
    condition     = alltrue([for city in var.cities : city.key == null || can(regex("^[a-z0-9]+(_[a-z0-9]+)*$", city.key))])
    error_message = "A key is words of a-z and 0-9 joined by underscores: ${join(", ", compact(var.cities[*].key))}."
  }
  validation {
    # As local.cities makes them, which a validation may not ask: it is made of this variable.
    condition     = length(distinct([for city in var.cities : city.key != null ? city.key : trim(replace(lower(city.name), "/[^a-z0-9]+/", "_"), "_")])) == length(var.cities)
    error_message = "Two cities have one key, by which their objects are named: ${join(", ", var.cities[*].name)}."
  }
}
