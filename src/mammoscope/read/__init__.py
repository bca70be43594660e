"""Whole scans and exams to scores, heat maps and detections."""
