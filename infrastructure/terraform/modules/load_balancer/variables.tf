variable "name" {
  description = "The load balancer's name."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]$", var.name)) && !startswith(var.name, "internal-")
    error_message = "A load balancer's name has at most 32 letters, digits and hyphens, and does not begin with `internal-` (Elastic Load Balancing API Reference, \"CreateLoadBalancer\")."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "public_subnet_ids" {
  description = "Subnets with a route to the Internet, one for each zone."
  type        = list(string)

  validation {
    condition     = length(var.public_subnet_ids) >= 2
    error_message = "An Application Load Balancer needs subnets in at least two zones."
  }
}

variable "domain_name" {
  description = "The name under which CloudFront and the smoke tests reach it; its certificate is made for this name."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone of the domain."
  type        = string
}

variable "test_port" {
  description = "The port of the test listener."
  type        = number
  default     = 8443
}

variable "test_client_cidr_blocks" {
  description = "Who may call the test listener, by name: the CI runners, the VPN. A release that no user should see yet is behind it."
  type        = map(string)

  validation {
    condition     = alltrue([for block in values(var.test_client_cidr_blocks) : can(cidrhost(block, 0)) && !endswith(block, "/0")])
    error_message = "`test_client_cidr_blocks` names addresses such as 203.0.113.7/32; the test listener is never open to everybody."
  }
}

variable "tls_policy" {
  description = "TLS 1.3, with 1.2 for older clients (Elastic Load Balancing, Application Load Balancers: \"Security policies\")."
  type        = string
  default     = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  validation {
    condition     = startswith(var.tls_policy, "ELBSecurityPolicy-TLS13-1-2-") || startswith(var.tls_policy, "ELBSecurityPolicy-TLS13-1-3-")
    error_message = "`tls_policy` must offer TLS 1.3 and nothing older than 1.2: ELBSecurityPolicy-TLS13-1-2-… or ELBSecurityPolicy-TLS13-1-3-…."
  }
}

variable "rate_limit" {
  description = "Requests that one of CloudFront's addresses may send in five minutes."
  type        = number
  default     = 500000
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
}

variable "log_bucket" {
  description = "The name of the bucket for access logs, which this module creates."
  type        = string
}

variable "log_retention_days" {
  description = "For how many days access logs are kept."
  type        = number
  default     = 365
}
