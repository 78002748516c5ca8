"""What people look at: charts (pictures, bars, maps), pixels (tiles) and the report of a training
run (report.write_report), whose sections are training, scores and answers.

Nothing is imported here: matplotlib takes most of a second, and only who asks for a picture should
wait for it.
"""
