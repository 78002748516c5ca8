"""`jconv demo`: pages in a browser, served on this machine alone (server.py), whose files lie in
site/. trainer.py trains a net in a thread while pages watch it and change it; convolution.py
computes what the page Convolution steps through.

A further page is one template and one script in site/, and a line in PAGES of server.py; what it
asks for is a function in actions.py.
"""
