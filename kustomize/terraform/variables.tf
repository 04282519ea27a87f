variable "name" {
  description = "Name of the cluster, and beginning of every other name."
  type        = string
  default     = "llama-mapper"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, 3 to 31 of them, a letter first."
  }
}

variable "region" {
  description = "AWS region; external-secrets and the object store's endpoint name it too."
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region such as eu-central-1."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes; the manifests are checked against 1.34 and newer."
  type        = string
  default     = "1.34"

  validation {
    condition     = can(regex("^1\\.(3[4-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "1.34 or newer."
  }
}

variable "network" {
  description = "Addresses of the network; a /16 leaves each of three zones a /20 for pods."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.network)) && tonumber(split("/", var.network)[1]) <= 16
    error_message = "An IPv4 network of /16 or larger."
  }
}

variable "administrators" {
  description = "Networks from which the API server is reached, such as an office or a VPN."
  type        = list(string)

  validation {
    condition     = length(var.administrators) > 0 && alltrue([for block in var.administrators : can(cidrnetmask(block))])
    error_message = "At least one IPv4 network."
  }

  validation {
    condition     = !contains(var.administrators, "0.0.0.0/0")
    error_message = "Not the whole Internet."
  }
}

variable "cpu_nodes" {
  description = "Nodes for everything but the model. Three, so that a zone can be away."
  type = object({
    instance_type = string
    least         = number
    most          = number
  })
  default = {
    instance_type = "m7i.xlarge"
    least         = 3
    most          = 10
  }

  validation {
    condition     = var.cpu_nodes.least >= 1 && var.cpu_nodes.least <= var.cpu_nodes.most
    error_message = "At least one, and not more than the most."
  }
}

variable "gpu_nodes" {
  description = "Nodes with one NVIDIA GPU of 24 GB or more; none while no predictor asks."
  type = object({
    instance_type = string
    most          = number
  })
  default = {
    instance_type = "g6.2xlarge"
    most          = 4
  }

  validation {
    condition     = can(regex("^(g5|g6|g6e|p4d|p4de|p5)\\.", var.gpu_nodes.instance_type)) && var.gpu_nodes.most >= 1
    error_message = "A G5, G6, P4 or P5 instance, and room for one."
  }
}

variable "evidence_days" {
  description = "How long evidence cannot be deleted by anybody (object lock, COMPLIANCE mode)."
  type        = number
  default     = 365

  validation {
    condition     = var.evidence_days >= 1 && var.evidence_days <= 36500
    error_message = "Between a day and a hundred years."
  }
}

variable "namespace" {
  description = "Kubernetes namespace of the overlay."
  type        = string
  default     = "llama-mapper"
}
