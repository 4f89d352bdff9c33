variable "name" {
  description = "What the key is named after."
  type        = string
}

variable "secrets" {
  description = <<-TEXT
    The secrets by name. `rotation` names a Lambda function that changes the value, and after how many days; without it the
    value is changed by hand.
  TEXT
  type = map(object({
    description = string
    rotation    = optional(object({ lambda_arn = string, days = optional(number, 30) }))
  }))

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", name)) && !can(regex("-[A-Za-z0-9]{6}$", name))])
    error_message = "A secret's name has letters, digits and /_+=.@- and does not end in a hyphen and six characters, which Secrets Manager would take for its own suffix (AWS Secrets Manager API Reference, \"CreateSecret\")."
  }

  validation {
    condition     = alltrue([for secret in values(var.secrets) : secret.rotation == null || try(secret.rotation.days >= 1 && secret.rotation.days <= 90, false)])
    error_message = "A secret that is rotated is rotated every 1 to 90 days."
  }
}
