terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Endpoint and key come from the client files that the server wrote, see README.md.
provider "aws" {
  region                  = "eu-central-1"
  skip_metadata_api_check = true
}

locals {
  zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

variable "pool" {
  description = "the public pool that the load balancer draws its addresses from: first or second"
  default     = "first"
}

variable "certificates" {
  description = "directory with cert.pem, key.pem and chain.pem for the shop's name"
  default     = "."
}

variable "ports" {
  description = "ports that clients and targets are reached on"
  type        = map(number)
  default     = { http = 8080, https = 8443, target = 8081 }
}
