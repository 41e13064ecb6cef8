"""What an operator deploys: policies, Prometheus, Grafana. Only what is generated from code is a package."""
