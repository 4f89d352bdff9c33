variable "environment" {
  description = "`staging` or `production`, for the commands that alarms name."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "There is no environment `${var.environment}`: it is `staging` or `production`."
  }
}

variable "service_name" {
  description = "The ECS service; alarms are named after it."
  type        = string
}

variable "cluster_name" {
  description = "The ECS cluster."
  type        = string
}

variable "load_balancer_arn_suffix" {
  description = "The load balancer as CloudWatch's dimension."
  type        = string
}

variable "database_identifier" {
  description = "The RDS instance."
  type        = string
}

variable "emails" {
  description = "Who hears of an alarm; each has to confirm once."
  type        = set(string)
}

variable "maximum_error_percent" {
  description = "The share of failed requests, in percent, above which an alarm fires."
  type        = number
  default     = 1
}

variable "maximum_p95_seconds" {
  description = "The 95th percentile of the response time, in seconds, above which an alarm fires."
  type        = number
}

variable "lasting_p95_seconds" {
  description = "The 95th percentile of the response time, in seconds, above which an alarm fires when it lasts for ten minutes."
  type        = number
  default     = 0.5
}

variable "maximum_cpu_percent" {
  description = "The tasks' CPU, in percent, above which an alarm fires."
  type        = number
  default     = 80
}

variable "maximum_memory_percent" {
  description = "The memory of the fullest task, in percent, above which an alarm fires."
  type        = number
  default     = 85
}

variable "maximum_database_connections" {
  description = "The number of connections above which an alarm fires; four fifths of the instance's `max_connections`."
  type        = number
}

variable "runbooks" {
  description = "Where the runbooks are: the folder of this repository, or the address that serves it."
  type        = string
  default     = "runbooks"
}

variable "minimum_requests" {
  description = "With fewer requests in a window nothing is concluded: one unlucky user is no share."
  type        = number
  default     = 100
}

variable "objective_percent" {
  description = "The share of requests, in percent, that must be answered without a failure over a month."
  type        = number
  default     = 99.9

  validation {
    condition     = var.objective_percent >= 90 && var.objective_percent < 100
    error_message = "`objective_percent` is 90 or more and less than 100: without a budget for errors nothing may ever change."
  }
}
