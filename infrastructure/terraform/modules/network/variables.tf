variable "name" {
  description = "What everything in the network is named after."
  type        = string
}

variable "cidr_block" {
  description = "The VPC's addresses, a private /16 to /20."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && try(cidrhost(var.cidr_block, 0) == split("/", var.cidr_block)[0], false)
    error_message = "`cidr_block` must be the first address of a block and its length, such as 10.20.0.0/16."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr_block)[1]) >= 16 && tonumber(split("/", var.cidr_block)[1]) <= 20, false)
    error_message = "`cidr_block` must be a /16 to a /20: nine subnets are cut from it, each a sixteenth of it (Amazon VPC User Guide, \"VPC CIDR blocks\")."
  }

  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr_block))
    error_message = "`cidr_block` must be private: of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)."
  }

  # Two blocks overlap when they are equal as far as the shorter of their prefixes goes.
  validation {
    condition = alltrue([for name, other in var.reserved_cidr_blocks : try(
      cidrhost("${split("/", other)[0]}/${min(split("/", other)[1], split("/", var.cidr_block)[1])}", 0)
      != cidrhost("${split("/", var.cidr_block)[0]}/${min(split("/", other)[1], split("/", var.cidr_block)[1])}", 0),
      false,
    )])
    error_message = "`cidr_block` ${var.cidr_block} overlaps with one of `reserved_cidr_blocks`: ${join(", ", [for name, other in var.reserved_cidr_blocks : "${name} has ${other}"])}. Two networks that overlap can never be connected; choose a free block."
  }
}

variable "reserved_cidr_blocks" {
  description = "Addresses that others have, by name: the other environments, the office. The VPC must not overlap with any of them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for block in values(var.reserved_cidr_blocks) : can(cidrhost(block, 0))])
    error_message = "Each of `reserved_cidr_blocks` is a block such as 10.30.0.0/16."
  }
}

variable "availability_zones" {
  description = "Three zones of the Region."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) == 3 && length(distinct(var.availability_zones)) == 3
    error_message = "The network spans three different availability zones, so that losing one leaves a majority."
  }
}

variable "nat_gateways" {
  description = "`per-zone`, or `one` for all zones, which is a third of the price and one zone away from silence."
  type        = string
  default     = "per-zone"

  validation {
    condition     = contains(["per-zone", "one"], var.nat_gateways)
    error_message = "`nat_gateways` is `per-zone` or `one`."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached inside the network."
  type        = set(string)
  default     = ["kms", "logs", "secretsmanager"]
}

variable "flow_log_retention_days" {
  description = "For how many days flow logs are kept."
  type        = number
  default     = 365
}
