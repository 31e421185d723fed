environment   = "dev"
forecast_days = 7

cities = [
  { name = "Melbourne", latitude = -37.8136, longitude = 144.9631 },
  { name = "Adelaide", latitude = -34.9285, longitude = 138.6007 },
  { name = "Kathmandu", latitude = 27.7172, longitude = 85.3240 },
  { name = "Paris", latitude = 48.8566, longitude = 2.3522 },
  { name = "Brasília", key = "brasilia", latitude = -15.7801, longitude = -47.9292 },
]
