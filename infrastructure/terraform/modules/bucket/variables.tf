variable "name" {
  description = "The bucket's name, unique in all of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits and hyphens, and neither begins nor ends with a hyphen."
  }
}

variable "key" {
  description = "The key that encrypts the objects; null for S3's own keys, which is all that load balancer logs can be written with."
  type        = object({ arn = string })
  default     = null
}

variable "statements" {
  description = "Statements of the bucket policy besides the one that refuses plain HTTP."
  type        = any
  default     = []
}

variable "noncurrent_days" {
  description = "For how many days an overwritten or deleted version is kept."
  type        = number
  default     = 90

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "An overwritten version is kept for at least a day."
  }
}

variable "expire_days" {
  description = "After how many days an object is deleted; null for never."
  type        = number
  default     = null
}

variable "object_lock_days" {
  description = "For how many days nobody may delete a version (governance mode); null for a bucket without locking. Cannot be changed later."
  type        = number
  default     = null
}

variable "access_log_bucket" {
  description = "The bucket that records who read what; null for none."
  type        = string
  default     = null
}
