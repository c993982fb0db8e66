"""What outlives a restart: alerts with what people said of them, the history of links, the audit trail."""

from modules.status.kept.alerts import Alerts, Filter, condition
from modules.status.kept.audit import Act, Audit
from modules.status.kept.database import Database
from modules.status.kept.links import Links

__all__ = ["Act", "Alerts", "Audit", "Database", "Filter", "Links", "condition"]
