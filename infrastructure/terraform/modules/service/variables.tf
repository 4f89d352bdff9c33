variable "name" {
  description = "The service's name, and its task family's."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,24}[a-zA-Z0-9]$", var.name))
    error_message = "`name` has at most 26 letters, digits and hyphens: target groups are named after it, and their names have at most 32."
  }
}

variable "cluster_name" {
  description = "The cluster's name."
  type        = string
}

variable "container_name" {
  description = "The container whose image a deploy replaces."
  type        = string
  default     = "app"
}

variable "container_port" {
  description = "The port that it listens on."
  type        = number
  default     = 3000
}

variable "first_image" {
  description = "The image of the first revision, by digest. With no task wanted nothing pulls it before the first deploy."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.first_image))
    error_message = "`first_image` must be pinned by its digest (REPOSITORY@sha256:…): a tag can be moved to another image after it was checked."
  }
}

variable "command" {
  description = "The container's command."
  type        = list(string)
  default     = ["serve"]
}

variable "user" {
  description = "The user and group that the container runs as."
  type        = string
  default     = "65532:65532"

  validation {
    condition     = can(regex("^[1-9][0-9]*:[1-9][0-9]*$", var.user))
    error_message = "`user` is a numeric user and group, and neither is root: 65532:65532."
  }
}

variable "cpu" {
  description = "CPU units of a task; 1024 are one virtual CPU."
  type        = number

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "Fargate has tasks of 256, 512, 1024, 2048, 4096, 8192 or 16384 CPU units (Amazon ECS Developer Guide, \"Task CPU and memory\")."
  }
}

variable "memory" {
  description = "Memory of a task in MiB."
  type        = number
}

variable "environment_variables" {
  description = "What the container is told. Nothing secret: it is readable for everybody who may describe a task definition."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment_variables) : can(regex("_ARN$", name)) || !can(regex("(?i)(password|secret|token|_url$)", name))])
    error_message = "A variable whose name speaks of a password, a secret, a token or a URL belongs into `secret_arns`; only the ARN of one is nothing secret."
  }

  validation {
    condition     = alltrue([for name, value in var.environment_variables : !can(regex("_ARN$", name)) || can(regex("^arn:", value))])
    error_message = "A variable whose name ends in _ARN holds an ARN."
  }
}

variable "task_statements" {
  description = "Statements of the policy of the task's own role; without any the program may call no AWS service."
  type        = any
  default     = []
}

variable "secret_arns" {
  description = "What ECS puts into the container's environment when it starts: variable → ARN of the secret."
  type        = map(string)
}

variable "registry_secret_arn" {
  description = "The secret with `username` and `password` for the image registry."
  type        = string
}

variable "secrets_key_arn" {
  description = "The key that the secrets are encrypted with."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "private_subnet_ids" {
  description = "Where the tasks run."
  type        = list(string)
}

variable "production_listener_arn" {
  description = "The listener of users' requests."
  type        = string
}

variable "test_listener_arn" {
  description = "The listener of the smoke test."
  type        = string
}

variable "load_balancer_security_group_id" {
  description = "The load balancer's security group."
  type        = string
}

variable "load_balancer_arn_suffix" {
  description = "The load balancer as CloudWatch's dimension."
  type        = string
}

variable "database_security_group_id" {
  description = "The database's security group."
  type        = string
}

variable "deployment_alarm_names" {
  description = "Alarms that take a deployment back."
  type        = list(string)

  validation {
    condition     = length(var.deployment_alarm_names) > 0
    error_message = "At least one alarm must watch a deployment."
  }
}

variable "bake_minutes" {
  description = "For how many minutes the old tasks stay after a deployment that was started by hand; a deploy sends its own."
  type        = number
  default     = 10

  validation {
    condition     = var.bake_minutes >= 0 && var.bake_minutes <= 1440
    error_message = "`bake_minutes` is 0 to 1440 (Amazon ECS API Reference, \"DeploymentConfiguration\")."
  }
}

variable "minimum_tasks" {
  description = "Autoscaling keeps at least so many tasks; the same as `service.minimum_tasks` in the environment's YAML."
  type        = number

  validation {
    condition     = var.minimum_tasks >= 1
    error_message = "A service without a task serves nobody: `minimum_tasks` is at least 1."
  }
}

variable "maximum_tasks" {
  description = "Autoscaling keeps at most so many tasks."
  type        = number

  validation {
    condition     = var.maximum_tasks >= var.minimum_tasks
    error_message = "`maximum_tasks` must not be less than `minimum_tasks`."
  }
}

variable "target_cpu_percent" {
  description = "The CPU that autoscaling aims at, in percent."
  type        = number
  default     = 60
}

variable "target_memory_percent" {
  description = "The memory that autoscaling aims at, in percent."
  type        = number
  default     = 70
}

variable "target_requests_per_task" {
  description = "The requests for each task in a minute that autoscaling aims at."
  type        = number
  default     = 6000
}

variable "log_retention_days" {
  description = "For how many days the tasks' logs are kept."
  type        = number
  default     = 365
}
