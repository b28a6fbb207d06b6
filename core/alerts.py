"""Budget alerts leave the desk: to the log, and to the webhook where one is set. Called by the supervisor thread.

Each alert is told once (``core.budget.take_alerts``), by whichever process comes first.
"""

import logging
from datetime import datetime

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from core.budget import Alert, take_alerts
from core.configuration import Desk
from core.models import BudgetScope

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0


def tell_alerts(desk: Desk, now: datetime) -> list[Alert]:
    """Log and post what was not told yet. A webhook that fails three times is logged and passed over."""
    alerts = desk.transaction(lambda session: take_alerts(session, now))
    webhook = desk.environment.alert_webhook_url
    for alert in alerts:
        logger.warning("%s", alert, extra={"batch_id": int(alert.key)} if alert.scope is BudgetScope.BATCH else None)
        if webhook is not None:
            _post(webhook.get_secret_value(), alert)
    return alerts


def _post(url: str, alert: Alert) -> None:
    body = {
        "text": str(alert),
        "scope": alert.scope.value,
        "period": alert.key,
        "threshold_percent": alert.threshold,
        "limit_usd": str(alert.limit),
        "spent_usd": str(alert.spent),
    }
    attempts = Retrying(
        retry=retry_if_exception_type(httpx.HTTPError), stop=stop_after_attempt(3), wait=wait_random_exponential(max=2), reraise=True
    )
    try:
        for attempt in attempts:
            with attempt:
                httpx.post(url, json=body, timeout=TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        logger.warning("the alert could not be posted: %s", type(error).__name__)  # the address may hold a secret
