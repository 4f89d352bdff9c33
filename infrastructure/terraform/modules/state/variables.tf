variable "bucket" {
  description = "The bucket's name; the same as `records.bucket` in the environment's YAML."
  type        = string
}

variable "noncurrent_days" {
  description = "For how many days overwritten records and locks can be read again."
  type        = number
  default     = 90
}

variable "object_lock_days" {
  description = "For how many days nobody may delete a record; null for a bucket without locking. Cannot be changed later."
  type        = number
  default     = null

  validation {
    condition     = try(var.object_lock_days >= 1 && var.object_lock_days <= var.noncurrent_days, var.object_lock_days == null)
    error_message = "`object_lock_days` is 1 to `noncurrent_days` (${var.noncurrent_days}): versions are tidied away after that, and a locked one cannot be."
  }
}

variable "access_log_bucket" {
  description = "The bucket that records who read what; null for none."
  type        = string
  default     = null
}
