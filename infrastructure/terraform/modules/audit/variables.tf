variable "name" {
  description = "The trail's name."
  type        = string
}

variable "bucket" {
  description = "The name of the trail's bucket, which this module creates."
  type        = string
}

variable "retention_days" {
  description = "For how many days the trail's files are kept."
  type        = number
  default     = 730

  validation {
    condition     = var.retention_days >= 365
    error_message = "An audit trail is kept for at least a year: `retention_days` is 365 or more."
  }
}

variable "access_log_bucket" {
  description = "The bucket that records who read the trail; null for none."
  type        = string
  default     = null
}
