"""From violations to incidents to alerts: one alert per real event."""

from service.alerts.incidents import IncidentBook, IncidentChanges

__all__ = ["IncidentBook", "IncidentChanges"]
