"""Approves expenses: reads receipts, and enters what somebody other than their author approved in a ledger."""
