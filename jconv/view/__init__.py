"""What people look at: charts (pictures), pixels (tiles) and the report of a training run
(report.write_report).

Nothing is imported here: matplotlib takes most of a second, and only who asks for a picture should
wait for it.
"""
