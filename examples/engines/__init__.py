"""Engines that are not built in, each in a few lines: how Ray and Procrastinate carry wake-ups."""
