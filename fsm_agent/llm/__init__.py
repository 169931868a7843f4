"""Language models: names, requests, replies. Their library (extra ``llm``) is imported when one is first asked."""
