"""`http`: does a web server answer under the name, and with what?"""
