variable "name" {
  description = "What the distribution's parts are named after."
  type        = string
}

variable "domain_name" {
  description = "The name that users type."
  type        = string
}

variable "api_domain_name" {
  description = "The load balancer's name, to which `/api/*` goes."
  type        = string

  validation {
    condition     = var.api_domain_name != var.domain_name
    error_message = "`api_domain_name` must not be `domain_name`: CloudFront would ask itself."
  }
}

variable "zone_id" {
  description = "The Route 53 zone of the domain."
  type        = string
}

variable "bucket" {
  description = "The name of the bucket for the site's files, which this module creates."
  type        = string
}

variable "log_bucket" {
  description = "The bucket for access logs."
  type        = string
}

variable "rate_limit" {
  description = "Requests that one user's address may send in five minutes."
  type        = number
  default     = 3000
}

variable "log_retention_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 365
}
