variable "name" {
  description = "What the web ACL, its metrics and its log group are named after."
  type        = string
}

variable "description" {
  description = "What it stands in front of."
  type        = string
}

variable "scope" {
  description = "`REGIONAL` for a load balancer, `CLOUDFRONT` for a distribution."
  type        = string

  validation {
    condition     = contains(["REGIONAL", "CLOUDFRONT"], var.scope)
    error_message = "`scope` is REGIONAL or CLOUDFRONT."
  }
}

variable "rate_limit" {
  description = "Requests that one address may send in five minutes before it is refused."
  type        = number

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000
    error_message = "`rate_limit` is 10 to 2,000,000,000 requests in five minutes (AWS WAF API Reference, \"RateBasedStatement\")."
  }
}

variable "log_retention_days" {
  description = "For how many days the log of requests is kept."
  type        = number
  default     = 365
}
