variable "environment" {
  description = "`staging` or `production`."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "There is no environment `${var.environment}`: it is `staging` or `production`."
  }
}

variable "account_id" {
  description = "The account that the credentials must belong to."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account has twelve digits."
  }
}

variable "region" {
  description = "Where the state is kept."
  type        = string
  default     = "eu-central-1"
}

variable "bucket_prefix" {
  description = "What the bucket's name begins with."
  type        = string
  default     = "acme"
}
