variable "bucket" {
  description = "The bucket's name, unique in all of AWS."
  type        = string
}

variable "origins" {
  description = "Where the pages are that upload and download: `https://tasks.example.com`."
  type        = list(string)

  validation {
    condition     = length(var.origins) > 0 && alltrue([for origin in var.origins : can(regex("^https://[a-z0-9.-]+$", origin))])
    error_message = "An origin is `https://` and a host, without a path; `*` would let every site read what a signed URL opens."
  }
}

variable "recoverable_days" {
  description = "For how many days a deleted file can be brought back; what somebody asked to have erased is gone after that."
  type        = number
  default     = 14

  validation {
    condition     = var.recoverable_days >= 1 && var.recoverable_days <= 30
    error_message = "`recoverable_days` is 1 to 30: what somebody asked to have erased must be gone within a month."
  }
}

variable "access_log_bucket" {
  description = "The bucket that records who read what; null for none."
  type        = string
  default     = null
}
