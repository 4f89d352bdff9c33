variable "name" {
  description = "What the key is called, without `alias/`."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9/_-]+$", var.name)) && !startswith(var.name, "aws/")
    error_message = "A key's name has letters, digits, `/`, `_` and `-`, and does not begin with `aws/`, which is Amazon's."
  }
}

variable "description" {
  description = "What it encrypts, for whoever finds it in the console."
  type        = string
}

variable "services" {
  description = "AWS services that use the key on their own account, as service principals: `logs.eu-central-1.amazonaws.com`."
  type        = list(string)
  default     = []
}

variable "region" {
  description = "The Region of the key; null for the provider's."
  type        = string
  default     = null
}
