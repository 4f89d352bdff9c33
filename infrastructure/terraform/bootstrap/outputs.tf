output "bucket" {
  description = "The backend's `bucket`."
  value       = module.state.name
}
