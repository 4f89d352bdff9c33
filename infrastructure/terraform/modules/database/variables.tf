variable "environment" {
  description = "`staging` or `production`."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "There is no environment `${var.environment}`: it is `staging` or `production`."
  }
}

variable "identifier" {
  description = "The instance's identifier; the same as `database.instance` in the environment's YAML."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.identifier)) && !strcontains(var.identifier, "--")
    error_message = "An instance's identifier has at most 63 lower-case letters, digits and single hyphens, and begins with a letter."
  }
}

variable "database_name" {
  description = "The database that the service uses."
  type        = string
}

variable "engine_version" {
  description = "PostgreSQL's version for a new instance."
  type        = string
  default     = "17.6"
}

variable "parameter_group_family" {
  description = "The family of parameters of that version."
  type        = string
  default     = "postgres17"

  validation {
    condition     = var.parameter_group_family == "postgres${split(".", var.engine_version)[0]}"
    error_message = "`parameter_group_family` must be of `engine_version`'s major version: postgres${split(".", var.engine_version)[0]}."
  }
}

variable "instance_class" {
  description = "The size of the instance."
  type        = string
}

variable "storage_gib" {
  description = "The storage of a new instance in GiB."
  type        = number

  validation {
    condition     = var.storage_gib >= 20
    error_message = "`storage_gib` is at least 20 (Amazon RDS User Guide, \"General Purpose SSD storage\")."
  }
}

variable "maximum_storage_gib" {
  description = "How far the storage may grow by itself, in GiB."
  type        = number

  validation {
    condition     = var.maximum_storage_gib >= var.storage_gib * 1.1
    error_message = "`maximum_storage_gib` must leave at least a tenth to grow (Amazon RDS User Guide, \"Managing capacity automatically with Amazon RDS storage autoscaling\")."
  }
}

variable "multi_az" {
  description = "Keep a standby in another zone."
  type        = bool

  validation {
    condition     = var.environment != "production" || var.multi_az
    error_message = "Production runs in two zones: `multi_az` must be true."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the instance."
  type        = bool

  validation {
    condition     = var.environment != "production" || var.deletion_protection
    error_message = "Production's database is protected from deletion: `deletion_protection` must be true. To delete it all the same, a person turns it off in the console first."
  }
}

variable "backup_retention_days" {
  description = "For how many days any second can be restored; 35 is the longest that RDS has."
  type        = number
  default     = 35

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "`backup_retention_days` is 1 to 35, and not ${var.backup_retention_days}: RDS keeps automated backups for 35 days at most (Amazon RDS User Guide, \"Backup retention period\"). Take manual snapshots to keep one for longer."
  }

  validation {
    condition     = var.environment != "production" || var.backup_retention_days == 35
    error_message = "Production keeps its backups for 35 days."
  }
}

variable "backup_region" {
  description = "The Region that backups are replicated to; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.environment != "production" || var.backup_region != null
    error_message = "Production's backups are replicated to a second Region: name it in `backup_region`."
  }
}

variable "password_rotation_days" {
  description = "After how many days RDS changes the master password."
  type        = number
  default     = 7

  validation {
    condition     = var.password_rotation_days >= 1 && var.password_rotation_days <= 90
    error_message = "The master password is changed at least every 90 days."
  }
}

variable "read_replica" {
  description = "Add a replica for reports."
  type        = bool
  default     = false
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way out, in at least two zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS needs subnets in at least two zones."
  }
}

variable "client_cidr_blocks" {
  description = "Networks besides the tasks that may connect, by name: the VPN of the database administrators."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([for block in values(var.client_cidr_blocks) :
      can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", block)) && can(cidrhost(block, 0))
    ])
    error_message = "The database must not be public: `client_cidr_blocks` admits private networks only (of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16)."
  }
}

variable "log_retention_days" {
  description = "For how many days PostgreSQL's log is kept."
  type        = number
  default     = 365
}
