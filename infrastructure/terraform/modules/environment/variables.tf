variable "environment" {
  description = "`staging` or `production`."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "There is no environment `${var.environment}`: it is `staging` or `production`."
  }
}

variable "name" {
  description = "The service; everything is named after it."
  type        = string
  default     = "task-tracker"
}

variable "bucket_prefix" {
  description = "What the names of buckets begin with, since they are unique in all of AWS."
  type        = string
}

variable "domain_name" {
  description = "The name that users type. The load balancer gets `api.` before it."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone of the domain, which exists already."
  type        = string
}

variable "cidr_block" {
  description = "The network's addresses."
  type        = string
}

variable "reserved_cidr_blocks" {
  description = "Addresses of others, by name, that the network must not overlap with."
  type        = map(string)
}

variable "nat_gateways" {
  description = "`per-zone`, or `one` for all zones."
  type        = string

  validation {
    condition     = var.environment != "production" || var.nat_gateways == "per-zone"
    error_message = "Production has a NAT gateway in each zone: `nat_gateways` must be `per-zone`."
  }
}

variable "test_client_cidr_blocks" {
  description = "Who may call the test listener, by name."
  type        = map(string)
}

variable "database_client_cidr_blocks" {
  description = "Private networks that may connect to the database besides the tasks, by name."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer and the database."
  type        = bool

  validation {
    condition     = var.environment != "production" || var.deletion_protection
    error_message = "Production is protected from deletion: `deletion_protection` must be true."
  }
}

variable "first_image" {
  description = "The image of the first task definition, by digest."
  type        = string
}

variable "task" {
  description = "A task's CPU units and MiB, and how many of them autoscaling keeps."
  type = object({
    cpu     = number
    memory  = number
    minimum = number
    maximum = number
  })

  validation {
    condition     = var.environment != "production" || var.task.minimum >= 2
    error_message = "Production has at least two tasks: `task.minimum` must be 2 or more."
  }
}

variable "database" {
  description = "The database's size and safety; `maximum_connections` is where an alarm fires."
  type = object({
    instance_class        = string
    storage_gib           = number
    maximum_storage_gib   = number
    multi_az              = bool
    read_replica          = optional(bool, false)
    backup_retention_days = number
    backup_region         = optional(string)
    maximum_connections   = number
  })
}

variable "database_url_rotation" {
  description = "The Lambda function that changes the service's password in `database-url`, and after how many days; null to change it by hand."
  type        = object({ lambda_arn = string, days = optional(number, 30) })
  default     = null
}

variable "alarm_emails" {
  description = "Who hears of alarms."
  type        = set(string)
}

variable "maximum_p95_seconds" {
  description = "The response time above which an alarm fires; `analysis.maximum_p95` in the environment's YAML."
  type        = number
}

variable "ci_subjects" {
  description = "Whose GitLab jobs may deploy."
  type        = list(string)
}
