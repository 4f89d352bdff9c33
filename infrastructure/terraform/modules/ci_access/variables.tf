variable "name" {
  description = "What the role is named after."
  type        = string
}

variable "gitlab_url" {
  description = "GitLab's address, which issues the tokens."
  type        = string
  default     = "https://gitlab.com"

  validation {
    condition     = can(regex("^https://[a-z0-9.-]+$", var.gitlab_url))
    error_message = "`gitlab_url` is an address such as https://gitlab.com, without a path or a slash at the end."
  }
}

variable "subjects" {
  description = "Whose jobs may take the role: `project_path:GROUP/PROJECT:ref_type:branch:ref:main`."
  type        = list(string)

  validation {
    condition     = length(var.subjects) > 0 && alltrue([for subject in var.subjects : can(regex("^project_path:[^:*]+:ref_type:(branch|tag):ref:[^:*]+$", subject))])
    error_message = "Each of `subjects` names one project and one branch or tag, without `*`: project_path:acme/task-tracker:ref_type:branch:ref:main. With a wildcard, any branch could deploy."
  }
}

variable "region" {
  description = "The Region."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "cluster_name" {
  description = "The ECS cluster."
  type        = string
}

variable "service_name" {
  description = "The ECS service."
  type        = string
}

variable "family" {
  description = "The family of task definitions."
  type        = string
}

variable "passed_role_arns" {
  description = "The roles of its tasks."
  type        = list(string)
}

variable "log_group_arn" {
  description = "The tasks' log group."
  type        = string
}

variable "secret_arns" {
  description = "The secrets whose existence a deploy checks."
  type        = list(string)
}

variable "registry_secret_arn" {
  description = "The registry's login."
  type        = string
}

variable "records_arn" {
  description = "The bucket of deploy records."
  type        = string
}

variable "key_arns" {
  description = "The keys of the records and of the secrets."
  type        = list(string)
}

variable "backup_key_arns" {
  description = "The keys of the database and of its backups in the other Region."
  type        = list(string)
}
